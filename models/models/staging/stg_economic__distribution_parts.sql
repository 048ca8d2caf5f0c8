{{ distribution_parts() }}
