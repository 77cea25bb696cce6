#Requires -RunAsAdministrator
<#
.SYNOPSIS
Installs the process beside an instrument as the service ForwarderBlocks, or brings it to another version.
.DESCRIPTION
To be run in a terminal with the instrument's environment (config_env.bat): a service does not see MYPVPREFIX, INSTRUMENT,
ISIS_INSTRUMENT and EPICS_CA_ADDR_LIST, so they are written into C:\Forwarder\blocks.toml, unless that is there already.
It refuses to begin while the process whose place it takes runs: both together would undo each other's commands.
.EXAMPLE
.\install-blocks.ps1 -Wheel .\epics_kafka_forwarder-0.1.0-py3-none-any.whl -Constraints .\constraints.txt -WinSW .\WinSW-x64.exe
#>
param(
    [Parameter(Mandatory)] [ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $Wheel,
    [Parameter(Mandatory)] [ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $Constraints,
    [Parameter(Mandatory)] [ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $WinSW,
    # Installed for all users, and 3.12.3 or newer: in older ones a UDP socket of asyncio is deaf after the first host
    # that does not listen.
    [string] $Python = 'python.exe',
    [string] $Instrument = $env:INSTRUMENT,
    [string] $Prefix = $env:MYPVPREFIX,
    [ValidateSet('production', 'development')]
    [string] $ForwarderProfile = $(if ($env:ISIS_INSTRUMENT -eq '1') { 'production' } else { 'development' }),
    # Where the block server is searched.
    [string] $CaAddrList = $env:EPICS_CA_ADDR_LIST
)
. "$PSScriptRoot\blocks.ps1"

$Old = Find-Old
if ($Old) { throw "BlockserverToKafka runs (process $($Old.ProcessId)); expected: that it is stopped, and not started again" }

# Windows replaces no file that is open.
$Service = Find-Service $Id
if ($Service) { Stop-Service -InputObject $Service }
# With what reads the instrument's database.
Install-Wheel $Python $Wheel $Constraints '[archive]'

if (-not (Test-Path $Settings)) {
    if (-not $Instrument) { throw 'INSTRUMENT is not set; expected: the name that topics begin with, or -Instrument NAME' }
    if (-not $Prefix) { throw 'MYPVPREFIX is not set; expected: what PVs begin with, such as IN:LARMOR:, or -Prefix PREFIX' }
    $Lines = @"
# What differs from the profile for this instrument; "forwarder blocks --help" lists every setting.
profile = "$ForwarderProfile"
instrument = "$Instrument"
prefix = "$Prefix"
ca-addr-list = "$CaAddrList"
ca-auto-addr-list = $(if ($CaAddrList) { 'false' } else { 'true' })
# database-password = "..."
http = "127.0.0.1:8090"
"@
    # Without the mark that PowerShell begins a file with, which TOML does not know.
    [System.IO.File]::WriteAllText($Settings, $Lines)
}
Grant-Folder "$Root\state\blocks"
Grant-Folder "$Root\blocks"
Protect-Settings $Settings
Install-Service $Id $WinSW
Start-Service -Name $Id
Write-Output "$Id runs; its log is $Root\blocks\blocks.log"
