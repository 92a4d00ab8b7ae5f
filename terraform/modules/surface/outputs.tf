output "surface" {
  description = "The surface: what the stack has, by logical name."
  value       = local.surface
}
