variable "project" {
  description = "First part of every name."
  type        = string
}

variable "environment" {
  description = "Environment that the roles are for; also the name of the GitHub environment."
  type        = string
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "account" {
  description = "Account of the environment."
  type        = string
}

variable "partition" {
  description = "Partition of the account."
  type        = string
}

variable "repository" {
  description = "GitHub repository that deploys: OWNER/NAME, or OWNER@ID/NAME@ID where its tokens carry ids."
  type        = string

  # The trust policy compares whole strings; a wildcard would be taken for a letter, and a URL matches nothing.
  validation {
    condition     = can(regex("^([A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", var.repository))
    error_message = "\"${var.repository}\" is not a repository of GitHub: write OWNER/NAME or OWNER@ID/NAME@ID, without https://github.com/ and without wildcards."
  }
}

variable "branch" {
  description = "Branch whose scheduled workflows may read as well, to look for drift."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.branch))
    error_message = "\"${var.branch}\" is not the name of a branch: write it without refs/heads/ and without wildcards, such as main."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the account's OIDC provider for GitHub."
  type        = string
}

variable "state_bucket" {
  description = "State bucket of the environment."
  type        = string
}

variable "artifact_bucket" {
  description = "Artifact bucket of the environment."
  type        = string
}

variable "lock_table" {
  description = "Lock table of the environment; null: the state is locked by a file."
  type        = string
  default     = null
}

variable "state_kms_key_arn" {
  description = "Customer-managed key of state bucket and lock table; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.state_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:${var.region}:[0-9]{12}:key/.+$", var.state_kms_key_arn))
    error_message = "state_kms_key_arn is not the ARN of a KMS key in ${var.region}: write arn:PARTITION:kms:${var.region}:ACCOUNT:key/ID (an alias does not do)."
  }
}

variable "deletion_protection" {
  description = "Whether the role that deploys may not remove what holds data: buckets, tables, database clusters, instances and keys."
  type        = bool
}
