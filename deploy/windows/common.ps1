# What all scripts here have in common: where things are, and what the services share.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$Root = 'C:\Forwarder'

# The account that may do the least, and its number, which is the same in every language.
$Account = 'NT AUTHORITY\LocalService'
$Sid = '*S-1-5-19'

function Find-Service([string] $Name) {
    # By its name or by the one that is displayed: nothing if there is no such service. Some that nobody may ask for are
    # always there, and are no reason to stop.
    Get-Service -ErrorAction SilentlyContinue | Where-Object { $_.Name -eq $Name -or $_.DisplayName -eq $Name } | Select-Object -First 1
}

function Invoke-Program([string] $Program, [string[]] $Arguments) {
    # A program that fails stops the script, which PowerShell does not do by itself.
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Program $Arguments ended with $LASTEXITCODE" }
}

function Install-Wheel([string] $Python, [string] $Wheel, [string] $Constraints, [string] $Extras = '') {
    Invoke-Program $Python @('-c', 'import sys; sys.exit(sys.version_info < (3, 12, 3))')
    if (-not (Test-Path "$Root\venv")) { Invoke-Program $Python @('-m', 'venv', "$Root\venv") }
    $InVenv = "$Root\venv\Scripts\python.exe"
    Invoke-Program $InVenv @('-m', 'pip', 'install', '--constraint', $Constraints, "$Wheel$Extras")
    # Another wheel of the same version is not seen as such.
    Invoke-Program $InVenv @('-m', 'pip', 'install', '--no-deps', '--no-index', '--force-reinstall', $Wheel)
}

function Grant-Folder([string] $Folder) {
    New-Item -ItemType Directory -Force $Folder | Out-Null
    Invoke-Program 'icacls.exe' @($Folder, '/grant', "${Sid}:(OI)(CI)M", '/quiet')
}

function Protect-Settings([string] $File) {
    # Passwords may be in it: for administrators, the system and the service alone.
    Invoke-Program 'icacls.exe' @(
        $File, '/inheritance:r', '/grant', '*S-1-5-32-544:F', '*S-1-5-18:F', "${Sid}:R", '/quiet')
}

function Install-Service([string] $Id, [string] $WinSW) {
    New-Item -ItemType Directory -Force "$Root\services" | Out-Null
    $Wrapper = "$Root\services\$Id.exe"
    Copy-Item $WinSW $Wrapper -Force
    Copy-Item "$PSScriptRoot\$Id.xml" "$Root\services\$Id.xml" -Force
    if (-not (Find-Service $Id)) { Invoke-Program $Wrapper @('install') }
    Invoke-Program 'sc.exe' @('config', $Id, 'obj=', $Account)
}

function Uninstall-Service([string] $Id) {
    $Service = Find-Service $Id
    if ($Service) {
        Stop-Service -InputObject $Service
        Invoke-Program "$Root\services\$Id.exe" @('uninstall')
        Write-Output "$Id is removed"
    }
}
