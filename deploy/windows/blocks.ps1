# What both scripts know of the process beside an instrument, and of the one whose place it takes.
. "$PSScriptRoot\common.ps1"

$Id = 'ForwarderBlocks'
$Settings = "$Root\blocks.toml"

function Find-Old {
    # It is no service: a Python that the instrument's own start brings up.
    Get-CimInstance Win32_Process -Filter "Name LIKE 'python%'" |
        Where-Object { $_.CommandLine -match 'BlockServerToKafka' } | Select-Object -First 1
}
