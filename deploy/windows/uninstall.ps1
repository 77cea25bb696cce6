#Requires -RunAsAdministrator
<#
.SYNOPSIS
Removes both services of the forwarder; settings, spools and logs in C:\Forwarder stay.
.DESCRIPTION
Each is stopped first, so that what waits is sent or kept in its spool.
.PARAMETER StartOld
Goes back: "Production Forwarder" and "Developer Forwarder" are enabled and started again.
#>
param([switch] $StartOld)
. "$PSScriptRoot\instances.ps1"

foreach ($Instance in $Instances) {
    Uninstall-Service $Instance.Id
    if ($StartOld) {
        $Old = Find-Service $Instance.Old
        if (-not $Old) { throw "there is no service $($Instance.Old) to go back to" }
        Set-Service -Name $Old.Name -StartupType Automatic
        Start-Service -Name $Old.Name
        Write-Output "$($Instance.Old) runs again"
    }
}
