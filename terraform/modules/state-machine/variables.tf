variable "name" {
  description = "Name of the state machine and of its role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of a state machine and its role: use up to 64 letters, digits, hyphens and underscores; shorten project or environment if it is too long."
  }
}

variable "definition" {
  description = "Its definition in the Amazon States Language, as JSON."
  type        = string

  validation {
    condition     = can(jsondecode(var.definition).States[jsondecode(var.definition).StartAt])
    error_message = "The definition of state machine ${var.name} is no JSON in the Amazon States Language: it has to have States, and StartAt has to name one of them."
  }

  validation {
    condition     = length(regexall("\\$\\{", var.definition)) == 0
    error_message = "The definition of state machine ${var.name} has placeholders left: render it with templatefile, and give each of them."
  }
}

variable "statements" {
  description = "What the state machine may do, besides writing its log: the statements of its role's policy."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))

  validation {
    condition     = alltrue([for statement in var.statements : alltrue([for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9]+$", action))])])
    error_message = "A statement has an action that is none, or one with a wildcard: name each action in full, such as dynamodb:UpdateItem."
  }

  validation {
    condition     = alltrue([for statement in var.statements : alltrue([for resource in statement.resources : startswith(resource, "arn:")])])
    error_message = "A statement allows more than named resources: give each as an ARN."
  }
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role; null: none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that the log of executions is kept; Step Functions keeps their history for 90."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs has no retention of ${var.log_retention_days} days: choose 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "log_execution_data" {
  description = "Whether the log has what states take and give, and not only which were entered. The history of an execution has it in any case."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "Customer-managed key that encrypts definition, executions and log; its policy has to let logs.REGION.amazonaws.com use it. Null: keys that the services own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}
