output "cluster" {
  description = "Identifier of the cluster."
  value       = aws_rds_cluster.this.cluster_identifier
}

output "database" {
  description = "Name of the database."
  value       = aws_rds_cluster.this.database_name
}

output "host" {
  description = "Where to write: the endpoint of the cluster, known once an instance answers."
  value       = aws_rds_cluster.this.endpoint
  depends_on  = [aws_rds_cluster_instance.this]
}

output "reader_host" {
  description = "Where to read; without a reader, the same instance."
  value       = aws_rds_cluster.this.reader_endpoint
  depends_on  = [aws_rds_cluster_instance.this]
}

output "port" {
  description = "Port of the database."
  value       = local.port
}

output "secret_arn" {
  description = "ARN of the secret with user and password, which RDS keeps and rotates."
  value       = one(aws_rds_cluster.this.master_user_secret[*].secret_arn)
}

output "resource_id" {
  description = "Id by which IAM knows the cluster: rds-db:connect is on dbuser:RESOURCE_ID/USER."
  value       = aws_rds_cluster.this.cluster_resource_id
}
