variable "artifact" {
  description = "Digest of the artifact of settlement: sha256: and 64 hex digits."
  type        = string
}

variable "limits" {
  description = "The most that is settled of a currency, as decimal numbers in text; more is declined. A currency that is not named has no limit."
  type        = map(string)
  default     = { EUR = "10000", GBP = "10000", JPY = "1500000", USD = "10000" }

  validation {
    condition     = alltrue([for currency in keys(var.limits) : can(regex("^[A-Z]{3}$", currency))])
    error_message = "limits has what is no currency (${join(", ", keys(var.limits))}): write each as three letters of ISO 4217, such as EUR."
  }

  validation {
    condition     = alltrue([for limit in values(var.limits) : can(regex("^(0|[1-9][0-9]{0,11})(\\.[0-9]{1,4})?$", limit))])
    error_message = "limits has what is no amount (${join(", ", values(var.limits))}): write each as a decimal number, in quotes, such as \"10000.00\"."
  }
}

variable "settlement_emails" {
  description = "Addresses that are told of every outcome. Each has to confirm by the link that SNS sends."
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = <<-EOT
    Customer-managed key for state machine, topics, queues and logs, and for the table of payments where that is encrypted with
    it. Its policy has to let cloudwatch.amazonaws.com, events.amazonaws.com and logs.REGION.amazonaws.com use it. Null: keys
    that the services own, and one of the stack's own for the topics.
  EOT
  type        = string
  default     = null
}
