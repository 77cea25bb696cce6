# What both scripts know of the instances: the service's id, its profile, and the service whose place it takes.
. "$PSScriptRoot\common.ps1"

$Instances = @(
    @{ Id = 'ForwarderProduction'; Profile = 'production'; LogFolder = 'prod_forwarder'; Old = 'Production Forwarder' }
    @{ Id = 'ForwarderDevelopment'; Profile = 'development'; LogFolder = 'dev_forwarder'; Old = 'Developer Forwarder' }
)
