output "account" {
  description = "Account of the environment."
  value       = var.account
}

output "partition" {
  description = "Partition that ARNs begin with."
  value       = local.partition
}

output "prefix" {
  description = "What resource names begin with: PROJECT-ENV."
  value       = local.prefix
}

output "bucket_prefix" {
  description = "What bucket names begin with, which are unique in the world: PROJECT-ENV-ACCOUNT-REGION."
  value       = "${local.prefix}-${var.account}-${var.region}"
}

output "state_bucket" {
  description = "Where the state and the surfaces are."
  value       = coalesce(var.state_bucket, "${var.project}-tfstate-${var.account}-${var.region}")
}

output "artifact_bucket" {
  description = "Where the functions' artifacts are."
  value       = coalesce(var.artifact_bucket, "${var.project}-artifacts-${var.account}-${var.region}")
}

output "permissions_boundary_arn" {
  description = "Boundary of every role; null where there is none."
  value       = var.permissions_boundary ? local.boundary : null
}
