variable "name" {
  description = "Identifier of the cluster, and what the names of its parts begin with."
  type        = string

  # Of an instance, the longest: two characters more.
  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9])*$", var.name)) && length(var.name) <= 61
    error_message = "\"${var.name}\" (${length(var.name)} characters) cannot be the identifier of a cluster: use up to 61 lower-case letters, digits and single hyphens, beginning with a letter; change project or environment where it is made of them."
  }
}

variable "database" {
  description = "Database in the cluster that is made with it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9]{0,63}$", var.database))
    error_message = "\"${var.database}\" cannot be the name of a database: Aurora takes up to 64 letters and digits, beginning with a letter."
  }
}

variable "username" {
  description = "User that RDS makes with the cluster, and whose password it rotates."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,15}$", var.username)) && !contains(["mysql", "root", "rdsadmin"], var.username)
    error_message = "\"${var.username}\" cannot be the first user of a cluster: use up to 16 lower-case letters and digits, and none of the names that are the engine's own (root, mysql, rdsadmin)."
  }
}

variable "engine_version" {
  description = "Version of Aurora MySQL 3, in full. Raise it here: no instance upgrades itself."
  type        = string

  validation {
    condition     = can(regex("^8\\.0\\.mysql_aurora\\.3\\.[0-9]+\\.[0-9]+$", var.engine_version))
    error_message = "\"${var.engine_version}\" is no version of Aurora MySQL 3: write it in full, such as 8.0.mysql_aurora.3.10.3 (aws rds describe-db-engine-versions --engine aurora-mysql lists them)."
  }
}

variable "instance_class" {
  description = "Class of the instances: db.serverless, or one of a fixed size such as db.r7g.large."
  type        = string
  default     = "db.serverless"

  validation {
    condition     = can(regex("^db\\.(serverless|[a-z][a-z0-9]*\\.[a-z0-9]+)$", var.instance_class))
    error_message = "\"${var.instance_class}\" is no class of instances: write db.serverless, or one such as db.r7g.large."
  }
}

variable "capacity" {
  description = "Least and most capacity units of an instance of db.serverless; with a minimum of 0 it pauses when nobody is connected."
  type = object({
    minimum = number
    maximum = number
  })
  default = { minimum = 0.5, maximum = 4 }

  validation {
    condition     = var.capacity.minimum >= 0 && var.capacity.minimum <= var.capacity.maximum && var.capacity.maximum >= 1 && var.capacity.maximum <= 256
    error_message = "capacity has to be from 0 to 256, its maximum 1 or more and not below its minimum."
  }

  validation {
    condition     = floor(var.capacity.minimum * 2) == var.capacity.minimum * 2 && floor(var.capacity.maximum * 2) == var.capacity.maximum * 2
    error_message = "capacity goes by halves: 0.5, 1, 1.5 and so on."
  }
}

variable "readers" {
  description = "Instances besides the one that writes; one in another zone takes over when that fails."
  type        = number
  default     = 0

  validation {
    condition     = var.readers >= 0 && var.readers <= 15 && floor(var.readers) == var.readers
    error_message = "readers has to be a whole number from 0 to 15."
  }
}

variable "vpc_id" {
  description = "VPC of the cluster."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the cluster, in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "A cluster needs subnets in two zones at least."
  }
}

variable "clients" {
  description = "Security groups that reach the database, by what they are of."
  type        = map(string)
}

variable "backup_retention_days" {
  description = "Days that automated backups are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35 && floor(var.backup_retention_days) == var.backup_retention_days
    error_message = "backup_retention_days has to be a whole number from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster until this is switched off."
  type        = bool
  default     = true
}

variable "performance_insights" {
  description = "Whether the last seven days of the database's load are kept; the small classes cannot."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "Customer-managed key of the data and of all snapshots; they cannot be read without it. Null: the account's key alias/aws/rds."
  type        = string
  default     = null
}

variable "secret_kms_key_arn" {
  description = "Customer-managed key of the password and of what performance insights keep."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the database's logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs has no retention of ${var.log_retention_days} days: choose 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "log_kms_key_arn" {
  description = "Customer-managed key that encrypts the logs; its policy has to let logs.REGION.amazonaws.com use it. Null: CloudWatch's own keys."
  type        = string
  default     = null
}
