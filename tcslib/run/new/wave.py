"""x"""
def new_wave(*a): pass
