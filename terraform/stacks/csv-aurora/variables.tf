variable "handler" {
  description = "Handler of the function, which writes the rows of a CSV file into the database."
  type        = string
  default     = "csv-importer"
}

variable "artifact" {
  description = "Digest of the handler's artifact: sha256: and 64 hex digits."
  type        = string
}

variable "table" {
  description = "Table of the rows, which the migrations make."
  type        = string
  default     = "customer"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,63}$", var.table)) && var.table != "claims"
    error_message = "\"${var.table}\" cannot be the table of the rows: use up to 64 lower-case letters, digits and underscores, beginning with a letter; claims is the table of the records."
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

variable "database" {
  description = "Name of the database in the cluster."
  type        = string
  default     = "claims"
}

variable "engine_version" {
  description = "Version of Aurora MySQL 3, in full."
  type        = string
  default     = "8.0.mysql_aurora.3.10.3"
}

variable "instance_class" {
  description = "Class of the database's instances: db.serverless, or one of a fixed size such as db.r7g.large."
  type        = string
  default     = "db.serverless"
}

variable "capacity" {
  description = "Least and most capacity units of an instance of db.serverless; with a minimum of 0 it pauses when nobody is connected."
  type = object({
    minimum = number
    maximum = number
  })
  default = { minimum = 0.5, maximum = 4 }
}

variable "readers" {
  description = "Instances of the database besides the one that writes."
  type        = number
  default     = 0
}

variable "backup_retention_days" {
  description = "Days that automated backups of the database are kept."
  type        = number
  default     = 7
}

variable "performance_insights" {
  description = "Whether the last seven days of the database's load are kept; the small classes cannot."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "Key that encrypts files, database, password, volume, logs and alarms; its policy has to let cloudwatch.amazonaws.com and logs.REGION.amazonaws.com use it. Null: the stack makes its own for files, password and alarms, and the account's keys do the rest."
  type        = string
  default     = null
}

variable "cidr" {
  description = "Addresses of the network: a private range of 16 to 22 bits."
  type        = string
  default     = "10.42.0.0/16"
}

variable "zones" {
  description = "How many availability zones the network is in: 2 or 3."
  type        = number
  default     = 2
}

variable "nat_gateway" {
  description = "Whether the private subnets lead to the internet."
  type        = bool
  default     = false
}

variable "instance" {
  description = "Whether there is an instance for the application."
  type        = bool
  default     = true
}

variable "instance_type" {
  description = "Type of the application's instance; null: the smallest of its architecture."
  type        = string
  default     = null
}

variable "http_cidrs" {
  description = "From where port 80 of the instance can be reached; empty: from nowhere."
  type        = list(string)
  default     = []
}

variable "ssh_cidrs" {
  description = "From where port 22 of the instance can be reached; empty: from nowhere, and Session Manager is the way in."
  type        = list(string)
  default     = []
}

variable "key_name" {
  description = "Key pair for SSH to the instance."
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
  description = "Invocations at a time that are kept for the function, and the most that it gets; each holds one connection. Null reserves nothing."
  type        = number
  default     = null
}
