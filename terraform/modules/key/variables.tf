variable "name" {
  description = "Alias of the key, without alias/."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,250}$", var.name))
    error_message = "\"${var.name}\" cannot be the alias of a key: use up to 250 letters, digits, hyphens and underscores."
  }
}

variable "description" {
  description = "What the key encrypts."
  type        = string
}

variable "account" {
  description = "Account that owns the key."
  type        = string
}

variable "partition" {
  description = "Partition of the account."
  type        = string
}

variable "services" {
  description = "Services that use the key in their own name, such as s3.amazonaws.com for notifications to an encrypted topic."
  type        = list(string)

  validation {
    condition     = alltrue([for service in var.services : endswith(service, ".amazonaws.com")])
    error_message = "services has something that is no service principal: write each like s3.amazonaws.com."
  }
}
