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
}
