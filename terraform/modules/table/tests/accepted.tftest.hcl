provider "aws" {
  region     = "us-west-1"
  access_key = "000000000000"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {

  name          = "shop-dev-claims"
  partition_key = "claim_id"
}

run "hard_to_lose" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && one(aws_dynamodb_table.this.point_in_time_recovery).enabled
    error_message = "the table can be lost"
  }

  assert {
    condition     = one(aws_dynamodb_table.this.server_side_encryption).kms_key_arn == var.kms_key_arn
    error_message = "the key is not used"
  }

  assert {
    condition     = one(aws_dynamodb_table.this.ttl).attribute_name == "expires_at"
    error_message = "records do not expire by expires_at"
  }
}

run "a_stream_and_an_index" {
  variables {
    deletion_protection = false
    ttl_attribute       = null
    stream              = true
    indexes             = { by-customer = { partition_key = "customer_id", sort_key = "created_at" } }
  }

  assert {
    condition     = aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES" && output.stream_arn == aws_dynamodb_table.this.stream_arn
    error_message = "the stream does not tell what changed"
  }

  assert {
    condition     = one(aws_dynamodb_table.this.global_secondary_index).range_key == "created_at" && one(aws_dynamodb_table.this.global_secondary_index).projection_type == "ALL"
    error_message = "the index is another one"
  }

  assert {
    condition     = sort([for attribute in aws_dynamodb_table.this.attribute : attribute.name]) == tolist(["claim_id", "created_at", "customer_id"])
    error_message = "a key is not declared"
  }

  assert {
    condition     = output.index_arns == { by-customer = "${aws_dynamodb_table.this.arn}/index/by-customer" }
    error_message = "the index cannot be named in a policy"
  }

  assert {
    condition     = length(aws_dynamodb_table.this.ttl) == 0
    error_message = "items expire"
  }
}

run "without_a_stream" {
  command = plan

  assert {
    condition     = !aws_dynamodb_table.this.stream_enabled && output.stream_arn == null
    error_message = "there is a stream that nobody asked for"
  }
}
