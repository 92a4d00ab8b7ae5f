provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]

  # BUCKET.localhost is not a name that every machine resolves.
  s3_use_path_style = var.environment == "local"

  default_tags {
    tags = merge(var.tags, {
      "claimctl:project"     = var.project
      "claimctl:environment" = var.environment
      "claimctl:stack"       = local.stack
    })
  }
}
