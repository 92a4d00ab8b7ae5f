# What every stack takes from its environment; terraform/environments/ENV.tfvars has the values.

variable "project" {
  description = "First part of every name."
  type        = string
}

variable "environment" {
  description = "Name of the environment; the selected workspace has the same name."
  type        = string
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "account" {
  description = "The twelve digits of the environment's account."
  type        = string
}

variable "permissions_boundary" {
  description = "Whether roles carry the permissions boundary that terraform/global makes."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuse to delete tables until this is switched off."
  type        = bool
  default     = true
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "The organisation's own tags, for everything that can have some."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:") && !startswith(key, "claimctl:")])
    error_message = "tags has a key that begins with aws: or claimctl: (${join(", ", keys(var.tags))}): those are AWS's and claimctl's, so name it otherwise."
  }
}

variable "architecture" {
  description = "Processor of the functions: arm64 or x86_64."
  type        = string
  default     = "arm64"
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

module "environment" {
  source = "../../../modules/environment"

  project              = var.project
  environment          = var.environment
  workspace            = terraform.workspace
  region               = var.region
  account              = var.account
  permissions_boundary = var.permissions_boundary
  state_bucket         = var.state_bucket
  artifact_bucket      = var.artifact_bucket
}
