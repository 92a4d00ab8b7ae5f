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

  validation {
    condition     = !contains(["claim_id", "row", "load"], var.partition_key)
    error_message = "The rows have an attribute ${var.partition_key} of their own: name another column as their key."
  }
}

variable "columns" {
  description = "Types of the columns that are no strings, such as { price = \"N\", active = \"BOOL\" }; a file need not have all of them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for kind in values(var.columns) : contains(["S", "N", "BOOL"], kind)])
    error_message = "A column has a type that there is not: write S for a string, N for a number or BOOL for true and false."
  }

  validation {
    condition     = length(setintersection(keys(var.columns), ["claim_id", "row", "load", "expires_at"])) == 0
    error_message = "A column cannot be named ${join(", ", setintersection(keys(var.columns), ["claim_id", "row", "load", "expires_at"]))}: rows have that attribute for themselves. Rename the column."
  }

  validation {
    condition     = lookup(var.columns, var.partition_key, "S") == "S"
    error_message = "The column ${var.partition_key} is the key of the table, which is a string: leave its type out."
  }
}

variable "delimiter" {
  description = "What separates the fields: a comma, a semicolon, a pipe, or tab."
  type        = string
  default     = ","

  validation {
    condition     = contains([",", ";", "|", "tab"], var.delimiter)
    error_message = "delimiter has to be a comma, a semicolon, a pipe, or the word tab."
  }
}

variable "max_rejected" {
  description = "Percent of a file's rows that may be left out; with more, nothing of the file is loaded."
  type        = number
  default     = 10

  validation {
    condition     = var.max_rejected >= 0 && var.max_rejected <= 100
    error_message = "max_rejected has to be from 0 to 100 (percent)."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts files, rows, records, log and alarms; its policy has to let cloudwatch.amazonaws.com and logs.REGION.amazonaws.com use it. Null: the stack makes its own, and the log has CloudWatch's."
  type        = string
  default     = null
}

variable "versioning" {
  description = "Keep older versions of files."
  type        = bool
  default     = true
}

variable "timeout" {
  description = "Timeout of the function in seconds; a file that takes longer goes on in further invocations."
  type        = number
  default     = 900
}

variable "memory_size" {
  description = "Memory of the function in MiB."
  type        = number
  default     = 256
}

variable "reserved_concurrency" {
  description = "Invocations at a time that are kept for the function, and the most that it gets; null reserves nothing."
  type        = number
  default     = null
}
