project     = "claim-check"
environment = "prod"
region      = "us-east-1"
account     = "333333333333"

deletion_protection = true
