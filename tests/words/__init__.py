"""The sentences in ``notebooks/words``, a table of cases a chapter; `turns` shows what no case of them tells apart."""
