locals {
  key     = "surface/${var.environment}/${var.stack}.json"
  surface = jsondecode(data.aws_s3_object.this.body)
}

# Of an object that is not there, S3 says no more than that.
data "aws_s3_objects" "this" {
  bucket = var.state_bucket
  prefix = local.key

  lifecycle {
    postcondition {
      condition     = contains(self.keys, local.key)
      error_message = "${var.stack} is not deployed in ${var.environment}: there is no ${local.key} in ${var.state_bucket}. Deploy ${var.stack} first."
    }
  }
}

data "aws_s3_object" "this" {
  bucket = var.state_bucket
  key    = one([for key in data.aws_s3_objects.this.keys : key if key == local.key])

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.body).version == 1, false)
      error_message = "The surface of ${var.stack} (${var.state_bucket}/${local.key}) is not of version 1, the only one that is read here: deploy ${var.stack} again from the same sources."
    }

    postcondition {
      condition     = try(jsondecode(self.body).environment == var.environment && jsondecode(self.body).stack == var.stack, false)
      error_message = "${var.state_bucket}/${local.key} is not the surface of ${var.stack} in ${var.environment}, but of ${try(jsondecode(self.body).stack, "nothing")} in ${try(jsondecode(self.body).environment, "no environment")}: deploy ${var.stack} again."
    }
  }
}
