project     = "claim-check"
environment = "dev"
region      = "us-west-1"
account     = "111111111111"

deletion_protection = false
