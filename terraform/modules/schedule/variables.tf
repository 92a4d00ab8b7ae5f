variable "name" {
  description = "Name of the schedule."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,64}$", var.name))
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the name of a schedule: use up to 64 letters, digits, hyphens, dots and underscores; shorten project or environment if it is too long."
  }
}

variable "role_name" {
  description = "Name of the role that invokes the function."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.role_name))
    error_message = "\"${var.role_name}\" (${length(var.role_name)} characters) cannot be the name of a role: use up to 64 letters, digits and hyphens; shorten project or environment if it is too long."
  }
}

variable "expression" {
  description = "When it runs: rate(…) or cron(…), in UTC."
  type        = string

  validation {
    condition     = can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([^ ]+( [^ ]+){5}\\))$", var.expression))
    error_message = "\"${var.expression}\" is no schedule: write rate(5 minutes), rate(1 hour) or cron(minute hour day month weekday year)."
  }
}

variable "alias_arn" {
  description = "ARN of the function's alias."
  type        = string
}

variable "input" {
  description = "The event that the function gets, as JSON."
  type        = string

  validation {
    condition     = can(jsondecode(var.input))
    error_message = "The input of schedule ${var.name} is not JSON: write it with jsonencode({ … })."
  }
}

variable "account" {
  description = "Account of the schedule."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role; null: none."
  type        = string
  default     = null
}
