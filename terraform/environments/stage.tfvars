project     = "claim-check"
environment = "stage"
region      = "eu-west-1"
account     = "444444444444"

deletion_protection = true
