project     = "claim-check"
environment = "test"
region      = "us-west-2"
account     = "222222222222"

deletion_protection = false
