variable "name" {
  description = "Name of the table."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.name))
    error_message = "\"${var.name}\" cannot be the name of a table: use 3 to 255 letters, digits, hyphens, dots and underscores."
  }
}

variable "partition_key" {
  description = "Name of the partition key, a string."
  type        = string

  validation {
    condition     = length(var.partition_key) >= 1 && length(var.partition_key) <= 255
    error_message = "partition_key has to be a name of 1 to 255 characters."
  }
}

variable "ttl_attribute" {
  description = "Attribute with the epoch second after which DynamoDB deletes an item; items without it stay. Null: all stay."
  type        = string
  default     = "expires_at"

  validation {
    condition     = var.ttl_attribute == null || try(length(var.ttl_attribute) >= 1 && length(var.ttl_attribute) <= 255, false)
    error_message = "ttl_attribute has to be a name of 1 to 255 characters."
  }

  validation {
    condition     = var.ttl_attribute != var.partition_key
    error_message = "The partition key of ${var.name} and its ttl_attribute are both ${var.partition_key}: name another attribute for one of them."
  }
}

variable "stream" {
  description = "Whether each change is told by the table's stream, with the item before and after it."
  type        = bool
  default     = false
}

variable "indexes" {
  description = "Global secondary indexes with all attributes, by their names: the partition key and the sort key of each, strings both."
  type = map(object({
    partition_key = string
    sort_key      = string
  }))
  default = {}

  validation {
    condition     = alltrue([for name, index in var.indexes : can(regex("^[A-Za-z0-9_.-]{3,255}$", name)) && index.partition_key != index.sort_key])
    error_message = "An index has no name that DynamoDB takes (3 to 255 letters, digits, hyphens, dots and underscores), or one attribute for both of its keys."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the table until this is switched off."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "Customer-managed key that encrypts the table; null: the key alias/aws/dynamodb."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is not the ARN of a KMS key: write arn:PARTITION:kms:REGION:ACCOUNT:key/ID (an alias does not do)."
  }
}
