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

# Windows replaces no file that is open.
foreach ($Instance in $Instances) {
    $Service = Find-Service $Instance.Id
    if ($Service) { Stop-Service -InputObject $Service }
}

Install-Wheel $Python $Wheel $Constraints

foreach ($Instance in $Instances) {
    $Settings = "$Root\$($Instance.Profile).toml"
    if (-not (Test-Path $Settings)) { Copy-Item "$PSScriptRoot\..\config\$($Instance.Profile).toml" $Settings }
    Grant-Folder "$Root\state\$($Instance.Profile)"
    Grant-Folder "$Root\$($Instance.LogFolder)"
    Protect-Settings $Settings
    Install-Service $Instance.Id $WinSW

    # Two that forward the same would double every message.
    $Old = Find-Service $Instance.Old
    if ($Old) {
        Stop-Service -InputObject $Old
        Set-Service -Name $Old.Name -StartupType Disabled
    }
    Start-Service -Name $Instance.Id
    Write-Output "$($Instance.Id) runs; its log is $Root\$($Instance.LogFolder)\forwarder.log"
}
