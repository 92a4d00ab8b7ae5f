variable "project" {
  description = "First part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,22}[a-z0-9])?$", var.project))
    error_message = "project \"${var.project}\" cannot start resource names: use lower-case letters, digits and hyphens, at most 24 characters, beginning with a letter."
  }
}

variable "environment" {
  description = "Name of the environment, second part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,22}[a-z0-9])?$", var.environment))
    error_message = "environment \"${var.environment}\" cannot be part of resource names: use lower-case letters, digits and hyphens, at most 24 characters, beginning with a letter."
  }

  # PROJECT-ENV-ACCOUNT-REGION-payload, the longest bucket name, has 63 characters at most.
  validation {
    condition     = length("${var.project}-${var.environment}-${var.region}") <= 42
    error_message = "Bucket names of environment ${var.environment} would be longer than the 63 characters that S3 takes: shorten project or environment by ${length("${var.project}-${var.environment}-${var.region}") - 42}."
  }
}

variable "workspace" {
  description = "The selected workspace: terraform.workspace of the root."
  type        = string

  validation {
    condition     = var.workspace == var.environment
    error_message = "Workspace ${var.workspace} is selected, but the variables are those of ${var.environment}: select the workspace (terraform workspace select -or-create ${var.environment}) or pass -var-file of environment ${var.workspace}."
  }
}

variable "region" {
  description = "Region of the environment."
  type        = string

  validation {
    condition     = contains(local.regions, var.region)
    error_message = "Region \"${var.region}\" is not known to have every service that the pipelines use (Lambda, SQS, SNS, DynamoDB, EventBridge Scheduler, KMS): choose another one, for example us-east-1, or add it to terraform/modules/environment/regions.tf if it has them by now."
  }
}

variable "account" {
  description = "The twelve digits of the environment's account."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "account \"${var.account}\" is not an account: write its twelve digits in quotes, leading zeros included."
  }
}

variable "permissions_boundary" {
  description = "Whether roles carry the permissions boundary that terraform/global makes for the environment."
  type        = bool
}

variable "state_bucket" {
  description = "State bucket of the environment; null: the one that claimctl bootstrap makes."
  type        = string
  default     = null

  validation {
    condition     = var.state_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket ${jsonencode(var.state_bucket)} is not the name of a bucket: write its name only, without s3://, or leave it out for the one that claimctl bootstrap makes."
  }
}

variable "artifact_bucket" {
  description = "Artifact bucket of the environment; null: the one that claimctl bootstrap makes."
  type        = string
  default     = null

  validation {
    condition     = var.artifact_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifact_bucket))
    error_message = "artifact_bucket ${jsonencode(var.artifact_bucket)} is not the name of a bucket: write its name only, without s3://, or leave it out for the one that claimctl bootstrap makes."
  }
}
