"""Record batches as a broker sends them: bytes to records, and undecodable batches to items."""
