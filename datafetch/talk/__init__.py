"""Pictures and captions as the arrays that NeuralTalk2 trains on, by the rules of its prepro.py; sets combined."""
