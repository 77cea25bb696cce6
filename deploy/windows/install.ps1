#Requires -RunAsAdministrator
<#
.SYNOPSIS
Installs both instances of the forwarder as services, or brings them to another version.
.DESCRIPTION
The services "Production Forwarder" and "Developer Forwarder" are stopped and disabled, and stay where they are:
uninstall.ps1 -StartOld goes back to them. Settings, spools and logs in C:\Forwarder are never removed.
.EXAMPLE
.\install.ps1 -Wheel .\epics_kafka_forwarder-0.1.0-py3-none-any.whl -Constraints .\constraints.txt -WinSW .\WinSW-x64.exe
#>
param(
    [Parameter(Mandatory)] [ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $Wheel,
    [Parameter(Mandatory)] [ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $Constraints,
    [Parameter(Mandatory)] [ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $WinSW,
    # Installed for all users, and 3.12.3 or newer: in older ones a UDP socket of asyncio is deaf after the first host
    # that does not listen.
    [string] $Python = 'python.exe'
)
. "$PSScriptRoot\instances.ps1"

# The account that may do the least, and its number, which is the same in every language.
$Account = 'NT AUTHORITY\LocalService'
$Sid = '*S-1-5-19'

# Windows replaces no file that is open.
foreach ($Instance in $Instances) {
    $Service = Find-Service $Instance.Id
    if ($Service) { Stop-Service -InputObject $Service }
}

Invoke-Program $Python @('-c', 'import sys; sys.exit(sys.version_info < (3, 12, 3))')
if (-not (Test-Path "$Root\venv")) { Invoke-Program $Python @('-m', 'venv', "$Root\venv") }
$InVenv = "$Root\venv\Scripts\python.exe"
Invoke-Program $InVenv @('-m', 'pip', 'install', '--constraint', $Constraints, $Wheel)
# Another wheel of the same version is not seen as such.
Invoke-Program $InVenv @('-m', 'pip', 'install', '--no-deps', '--no-index', '--force-reinstall', $Wheel)

New-Item -ItemType Directory -Force "$Root\services" | Out-Null
foreach ($Instance in $Instances) {
    $Settings = "$Root\$($Instance.Profile).toml"
    if (-not (Test-Path $Settings)) { Copy-Item "$PSScriptRoot\..\config\$($Instance.Profile).toml" $Settings }
    foreach ($Folder in "$Root\state\$($Instance.Profile)", "$Root\$($Instance.LogFolder)") {
        New-Item -ItemType Directory -Force $Folder | Out-Null
        Invoke-Program 'icacls.exe' @($Folder, '/grant', "${Sid}:(OI)(CI)M", '/quiet')
    }
    # Passwords may be in it: for administrators, the system and the service alone.
    Invoke-Program 'icacls.exe' @(
        $Settings, '/inheritance:r', '/grant', '*S-1-5-32-544:F', '*S-1-5-18:F', "${Sid}:R", '/quiet')

    $Wrapper = "$Root\services\$($Instance.Id).exe"
    Copy-Item $WinSW $Wrapper -Force
    Copy-Item "$PSScriptRoot\$($Instance.Id).xml" "$Root\services\$($Instance.Id).xml" -Force
    if (-not (Find-Service $Instance.Id)) { Invoke-Program $Wrapper @('install') }
    Invoke-Program 'sc.exe' @('config', $Instance.Id, 'obj=', $Account)

    # Two that forward the same would double every message.
    $Old = Find-Service $Instance.Old
    if ($Old) {
        Stop-Service -InputObject $Old
        Set-Service -Name $Old.Name -StartupType Disabled
    }
    Start-Service -Name $Instance.Id
    Write-Output "$($Instance.Id) runs; its log is $Root\$($Instance.LogFolder)\forwarder.log"
}
