# The sandbox: claimctl local up
project     = "claim-check"
environment = "local"
region      = "us-east-1"
account     = "000000000000"

permissions_boundary = false
deletion_protection  = false
architecture         = "x86_64"
