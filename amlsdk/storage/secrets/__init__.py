"""Secrets of a workspace: encrypted in the catalogue, or in Azure Key Vault."""
