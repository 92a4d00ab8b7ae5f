output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, one per zone."
  value       = values(aws_subnet.private)[*].id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, one per zone. Known once they lead to the internet."
  value       = values(aws_subnet.public)[*].id
  depends_on  = [aws_route.internet, aws_route_table_association.public]
}

output "endpoints_security_group_id" {
  description = "Security group of the interface endpoints: where HTTPS has to be let out to."
  value       = aws_security_group.endpoints.id
}

output "s3_prefix_list_id" {
  description = "Prefix list of S3 in this region: where HTTPS has to be let out to for buckets."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}
