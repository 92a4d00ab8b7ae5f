variable "artifact" {
  description = "Digest of the artifact of payments-api: sha256: and 64 hex digits."
  type        = string
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
