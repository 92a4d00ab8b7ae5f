# A stack's values that are the same in every environment are defaults of the stack: see docs/terraform.md.
project     = "claim-check"
environment = "dev"
region      = "us-west-1"
account     = "111111111111"
