variable "artifact" {
  description = "Digest of the artifact of quotes: sha256: and 64 hex digits."
  type        = string
}

variable "rates" {
  description = "What one of a currency is in another one, by FROM/TO, as decimal numbers in text. The way back is derived where only one is there."
  type        = map(string)
  default     = { "EUR/GBP" = "0.8571", "EUR/JPY" = "163.20", "EUR/USD" = "1.0842" }

  validation {
    condition     = alltrue([for pair in keys(var.rates) : can(regex("^[A-Z]{3}/[A-Z]{3}$", pair)) && substr(pair, 0, 3) != substr(pair, 4, 3)])
    error_message = "rates has what is no pair of currencies (${join(", ", keys(var.rates))}): write each like EUR/USD."
  }

  validation {
    condition     = alltrue([for rate in values(var.rates) : can(regex("^[0-9]+(\\.[0-9]+)?$", rate)) && can(regex("[1-9]", rate))])
    error_message = "rates has what is no rate (${join(", ", values(var.rates))}): write each as a decimal number above zero, in quotes, such as \"1.0842\"."
  }
}

variable "quote_validity" {
  description = "Seconds that a quote holds."
  type        = number
  default     = 300

  validation {
    condition     = var.quote_validity >= 1 && var.quote_validity <= 86400 && floor(var.quote_validity) == var.quote_validity
    error_message = "quote_validity has to be a whole number of seconds from 1 to 86400 (one day)."
  }
}

variable "throttling" {
  description = "Requests that the API takes: so many a second (rate), and so many at once (burst). What is above gets 429."
  type = object({
    rate  = number
    burst = number
  })
  default = { rate = 100, burst = 200 }
}

variable "kms_key_arn" {
  description = <<-EOT
    Customer-managed key for table, alarms and logs. Its policy has to let cloudwatch.amazonaws.com and
    logs.REGION.amazonaws.com use it. Null: keys that the services own, and one of the stack's own for the alarms.
  EOT
  type        = string
  default     = null
}
