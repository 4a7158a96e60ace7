"""Extract: from a verified archive to a sealed staging folder."""
