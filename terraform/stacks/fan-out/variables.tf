variable "handler" {
  description = "Handler of both functions, which logs the event that it gets."
  type        = string
  default     = "event-logger"
}

variable "artifact" {
  description = "Digest of the handler's artifact: sha256: and 64 hex digits."
  type        = string
}

variable "oldest_message" {
  description = "Age in seconds at which the oldest message in a queue is an alarm."
  type        = number
  default     = 900

  # Copies are hidden for their first 90 seconds, and SQS measures once a minute.
  validation {
    condition     = var.oldest_message >= 180
    error_message = "oldest_message (${var.oldest_message} s) is an alarm while nothing is wrong, because copies wait for 90 s: set it to 180 or more."
  }
}
