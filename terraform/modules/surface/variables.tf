variable "state_bucket" {
  description = "State bucket of the environment, where surfaces are."
  type        = string
}

variable "environment" {
  description = "Name of the environment."
  type        = string
}

variable "stack" {
  description = "Stack whose surface is read: SYSTEM/PART."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(/[a-z0-9-]+)?$", var.stack))
    error_message = "\"${var.stack}\" is not the name of a stack: write it as its folder below terraform/stacks, such as payments/quote."
  }
}
