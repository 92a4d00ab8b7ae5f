variable "handler" {
  description = "Handler of the function, which writes the rows of a CSV file into the table."
  type        = string
  default     = "csv-loader"
}

variable "artifact" {
  description = "Digest of the handler's artifact: sha256: and 64 hex digits."
  type        = string
}

variable "partition_key" {
  description = "Column that tells one row from another."
  type        = string
  default     = "id"
}

variable "versioning" {
  description = "Keep older versions of files."
  type        = bool
  default     = true
}

variable "timeout" {
  description = "Timeout of the function in seconds."
  type        = number
  default     = 300
}

variable "memory_size" {
  description = "Memory of the function in MiB."
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "Invocations at a time that are kept for the function, and the most that it gets; null reserves nothing."
  type        = number
  default     = null
}
