# Surfaces as stacks write them, for the tests of the module that reads them.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

variable "surfaces" {
  description = "What lies in the state bucket, by key."
  type        = map(string)
}

resource "aws_s3_object" "surface" {
  for_each = var.surfaces

  bucket       = "shop-tfstate-000000000000-us-west-1"
  key          = each.key
  content      = each.value
  content_type = "application/json"
}
