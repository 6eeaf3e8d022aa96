"""One recipe in several variants, trained and measured alike: the papers' studies, and one's own."""
