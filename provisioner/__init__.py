"""Provisions the softphones of contact-centre agents from YAML and the platform's login API."""

__version__ = "0.1.0"
