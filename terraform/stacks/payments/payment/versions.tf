terraform {
  required_version = ">= 1.10"

  # bucket, region and the rest are in terraform/backends/ENV.s3.tfbackend; the key is given with init.
  backend "s3" {}

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}
