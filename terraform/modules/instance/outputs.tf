output "id" {
  description = "Id of the instance: what aws ssm start-session --target takes."
  value       = aws_instance.this.id
}

output "public_dns" {
  description = "Public name of the instance; empty where it has none."
  value       = aws_instance.this.public_dns
}
