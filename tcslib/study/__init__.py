"""What the study says: parameters, questionnaire, model."""
