variable "project" {
  description = "First part of every name."
  type        = string
}

variable "environment" {
  description = "Environment of this account; the selected workspace has the same name."
  type        = string
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "account" {
  description = "The twelve digits of the account."
  type        = string
}

variable "deletion_protection" {
  description = "Whether deployments may not remove what holds data: buckets, tables, database clusters, instances and keys."
  type        = bool
  default     = true
}

variable "repository" {
  description = "GitHub repository that deploys: OWNER/NAME, or OWNER@ID/NAME@ID where its tokens carry ids."
  type        = string

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

variable "more_environments" {
  description = "Further environments of the same account, by name. They need no run of their own."
  type = map(object({
    region              = string
    deletion_protection = optional(bool, true)
    state_bucket        = optional(string)
    artifact_bucket     = optional(string)
    lock_table          = optional(string)
    state_kms_key_arn   = optional(string)
  }))
  default = {}

  validation {
    condition     = !contains(keys(var.more_environments), var.environment)
    error_message = "${var.environment} is the environment of this run: more_environments names only the others of its account."
  }

  # Roles reach what begins with PROJECT-ENV-, which dev-two would be for dev.
  validation {
    condition = alltrue([
      for pair in setproduct(concat([var.environment], keys(var.more_environments)), concat([var.environment], keys(var.more_environments))) :
      !startswith(pair[0], "${pair[1]}-")
    ])
    error_message = "The name of one environment begins with another's and a hyphen, so that the role of one would reach the other: rename one of them, or give it an account of its own."
  }
}

variable "oidc_provider_arn" {
  description = "The account's OIDC provider for GitHub, where there is one already: an account can have only one. Null: it is made."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::${var.account}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn is not GitHub's provider in account ${var.account}: write arn:PARTITION:iam::${var.account}:oidc-provider/token.actions.githubusercontent.com, or leave it null."
  }
}

variable "api_gateway_logs" {
  description = "Whether API Gateway is given a role to write access logs by, which the stack payments needs. False where the account has named one in the region already: it has only one."
  type        = bool
  default     = true
}

variable "state_bucket" {
  description = "State bucket; null: the one that claimctl bootstrap makes."
  type        = string
  default     = null
}

variable "artifact_bucket" {
  description = "Artifact bucket; null: the one that claimctl bootstrap makes."
  type        = string
  default     = null
}

variable "lock_table" {
  description = "Lock table, where locking is table or both; null: the state is locked by a file."
  type        = string
  default     = null
}

variable "state_kms_key_arn" {
  description = "Customer-managed key of state bucket and lock table; null: none."
  type        = string
  default     = null
}
