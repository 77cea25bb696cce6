# What both scripts know of the instances: the service's id, its profile, and the service whose place it takes.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$Root = 'C:\Forwarder'
$Instances = @(
    @{ Id = 'ForwarderProduction'; Profile = 'production'; LogFolder = 'prod_forwarder'; Old = 'Production Forwarder' }
    @{ Id = 'ForwarderDevelopment'; Profile = 'development'; LogFolder = 'dev_forwarder'; Old = 'Developer Forwarder' }
)

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
