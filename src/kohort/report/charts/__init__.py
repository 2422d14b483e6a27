"""The report's charts: Vega-Lite by way of Altair, one file for what each shows."""
