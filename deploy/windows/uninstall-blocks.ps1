#Requires -RunAsAdministrator
<#
.SYNOPSIS
Removes the service ForwarderBlocks; its settings, what it has announced and its log in C:\Forwarder stay.
.DESCRIPTION
What it has announced stays with the forwarder, which goes on; nobody tells it of changes until the old process is started.
.PARAMETER StartOld
Goes back: the script that starts the old process, such as start_bs_to_kafka_cmd.bat, which is run afterwards.
#>
param([ValidateScript({ Test-Path $_ -PathType Leaf })] [string] $StartOld)
. "$PSScriptRoot\blocks.ps1"

Uninstall-Service $Id
if ($StartOld) {
    Start-Process -FilePath $StartOld
    Write-Output "$StartOld is started"
}
